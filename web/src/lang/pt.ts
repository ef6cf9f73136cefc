// Portuguese: a line for each key of en.ts, in its order. Lines, because keys weigh.

const lines: string = `Fotos
Escolher uma foto
Escolher fotos
ou solte ou cole aqui
Solte para enviar
Tirar uma foto
{0}, até {1}
Na fila
A preparar
A enviar, {0}
Falha de ligação, nova tentativa em breve
Em pausa
A verificar
Pronta
{0}: {1}
Pausar
Continuar
Tentar de novo
Cancelar
Remover
Mover para cima
{0} ficheiro adicionado.|{0} ficheiros adicionados.
{0}: removido.
{0} de {1} concluídos
{0} foto pronta|{0} fotos prontas
{0} ficheiro não enviado|{0} ficheiros não enviados
Espere até tudo ser enviado.
Remova o que não foi enviado ou tente de novo.
Este tipo de ficheiro não é aceite. Aceites: {0}.
O ficheiro está vazio.
O ficheiro é demasiado pequeno, no mínimo {0}.
O ficheiro é demasiado grande, no máximo {0}.
O servidor não responde.
O armazenamento não responde, ou a sua regra CORS exclui esta página.
O armazenamento recusou o ficheiro: {0}.
Escolha o ficheiro de novo para continuar.
A autorização de envio expirou.
A imagem tem demasiados píxeis.
A imagem está danificada.
Este tipo de imagem não é suportado.
Algo correu mal.`;

export default lines;
