var e=`Photos
Choisir une photo
Choisir des photos
ou déposer ou coller ici
Déposer pour envoyer
Prendre une photo
{0}, {1} au plus
En attente de son tour
Préparation
Envoi, {0}
Connexion perturbée, nouvel essai
En pause
Vérification
Prête
{0} : {1}
Pause
Reprendre
Réessayer
Annuler
Retirer
Monter
{0} fichier ajouté.|{0} fichiers ajoutés.
{0} : retiré.
{0} sur {1} terminés
{0} photo prête|{0} photos prêtes
{0} fichier non envoyé|{0} fichiers non envoyés
Attendez que tout soit envoyé.
Retirez ce qui n’a pas été envoyé, ou réessayez.
Ce genre de fichier n’est pas accepté. Acceptés : {0}.
Le fichier est vide.
Le fichier est trop petit, {0} au moins.
Le fichier est trop grand, {0} au plus.
Le serveur est injoignable.
L’espace de stockage est injoignable, ou sa règle CORS exclut cette page.
L’espace de stockage a refusé le fichier : {0}.
Choisissez à nouveau le fichier pour continuer.
L’autorisation d’envoi a expiré.
L’image a trop de pixels.
L’image est endommagée.
Ce genre d’image n’est pas pris en charge.
Une erreur est survenue.`,r=e;export{r as default};
