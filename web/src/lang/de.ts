// German: a line for each key of en.ts, in its order. Lines, because keys weigh.

const lines: string = `Fotos
Foto auswählen
Fotos auswählen
oder hierher ziehen oder einfügen
Loslassen zum Hochladen
Foto aufnehmen
{0}, bis {1}
Wartet, bis es dran ist
Wird vorbereitet
Wird hochgeladen, {0}
Verbindung gestört, neuer Versuch folgt
Angehalten
Wird geprüft
Fertig
{1}: {0}
Anhalten
Fortsetzen
Erneut versuchen
Abbrechen
Entfernen
Nach oben
{0} Datei hinzugefügt.|{0} Dateien hinzugefügt.
{0} entfernt.
{0} von {1} fertig
{0} Foto fertig|{0} Fotos fertig
{0} Datei nicht hochgeladen|{0} Dateien nicht hochgeladen
Bitte warten, bis alles hochgeladen ist.
Was nicht hochgeladen wurde, bitte entfernen oder erneut versuchen.
Solche Dateien sind hier nicht erlaubt. Erlaubt: {0}.
Die Datei ist leer.
Die Datei ist zu klein, mindestens {0}.
Die Datei ist zu groß, höchstens {0}.
Der Server ist nicht erreichbar.
Der Speicher ist nicht erreichbar, oder seine CORS-Regel nennt diese Seite nicht.
Der Speicher hat die Datei abgelehnt: {0}.
Bitte die Datei noch einmal auswählen.
Die Erlaubnis zum Hochladen ist abgelaufen.
Das Bild hat zu viele Pixel.
Das Bild ist beschädigt.
Diese Art von Bild wird nicht unterstützt.
Etwas ist schiefgegangen.`;

export default lines;
