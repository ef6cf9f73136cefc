var a=`Fotos
Elegir una foto
Elegir fotos
o suéltalas o pégalas aquí
Suelta para subir
Hacer una foto
{0}, hasta {1}
En cola
Preparando
Subiendo, {0}
Fallo de conexión, se reintenta
En pausa
Comprobando
Lista
{0}: {1}
Pausar
Continuar
Reintentar
Cancelar
Quitar
Subir un puesto
{0} archivo añadido.|{0} archivos añadidos.
{0}: quitado.
{0} de {1} terminados
{0} foto lista|{0} fotos listas
{0} archivo sin subir|{0} archivos sin subir
Espera a que todo se haya subido.
Quita lo que no se subió o reinténtalo.
Este tipo de archivo no se admite. Se admite: {0}.
El archivo está vacío.
El archivo es demasiado pequeño, {0} como mínimo.
El archivo es demasiado grande, {0} como máximo.
No se puede acceder al servidor.
No se puede acceder al almacén, o su regla CORS excluye esta página.
El almacén rechazó el archivo: {0}.
Elige el archivo de nuevo para continuar.
El permiso para subir caducó.
La imagen tiene demasiados píxeles.
La imagen está dañada.
Este tipo de imagen no se admite.
Algo ha fallado.`,e=a;export{e as default};
