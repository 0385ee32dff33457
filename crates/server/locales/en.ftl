# What citizens are told by SMS and mail. SMS is plain GSM-7, without a link, the code first.
activation-code-sms = { $code } is your Ky So activation code. Never read it to anyone, staff included. It expires in { $minutes } minutes.
activation-code-subject = Your Ky So activation code
activation-code-mail = Your activation code is: { $code }

    It is valid for { $minutes } minutes. Do not read it to anyone; our staff never ask for it.
    If you did not apply for a digital signature, ignore this message.
resumption-code-sms = { $code } opens your Ky So dossier on another phone. Never read it to anyone, staff included. Expires in { $minutes } minutes.
resumption-code-subject = Your Ky So code to go on elsewhere
resumption-code-mail = Your code to open your dossier on another phone is: { $code }

    It is valid for { $minutes } minutes. Do not read it to anyone; our staff never ask for it.
    If you are not opening your dossier, ignore this message.
device-code-sms = { $code } binds THIS phone to your Ky So signature. Never read it to anyone, staff included. Expires in { $minutes } minutes.
    @{ $domain } #{ $code }
device-code-subject = Your Ky So code for this phone
device-code-mail = Your code to bind this phone is: { $code }

    Type it in Ky So together with the PIN you choose. Whoever has this code can bind a phone to your digital signature:
    do not read it to anyone; our staff never ask for it. It is valid for { $minutes } minutes.
    If you are not setting up a phone now, ignore this message.
approved-sms = Ky So: dossier { $reference } is approved. Open the Ky So icon to set your PIN and sign the acceptance record. Ky So never sends links.
approved-subject = Dossier { $reference } is approved
approved-mail = Dossier { $reference } is approved.

    Open the Ky So icon on your phone (or scan the code on the guide), set a PIN and sign the acceptance record to start using your signature.
    Ky So never sends links by mail.
supplement-sms = Ky So: dossier { $reference } needs a correction. Open the Ky So icon to see what to do. Ky So never sends links.
supplement-subject = Dossier { $reference } needs a correction
supplement-mail = Dossier { $reference } needs a correction.

    Open the Ky So icon on your phone to see which item to photograph or correct. Everything else is kept.
rejected-sms = Ky So: dossier { $reference } was not approved. Open the Ky So icon for the reason and what to do next, or call { $hotline }.
rejected-subject = Dossier { $reference } was not approved
rejected-mail = Dossier { $reference } was not approved.

    Open the Ky So icon on your phone for the reason and what to do next, or call { $hotline }.
complete-sms = Ky So: your digital signature is ready. Never tell anyone your PIN. Help: { $hotline }.
complete-subject = Your digital signature is ready
complete-mail = Your digital signature is ready.

    Never tell anyone your PIN. If you lose your phone, call { $hotline } at once to lock the signature.
resumed-sms = Ky So: dossier { $reference } was opened ON ANOTHER PHONE; the old one no longer opens it. Was it not you? Call { $hotline } now.
resumed-subject = Dossier { $reference } was opened on another phone
resumed-mail = Dossier { $reference } was opened on another phone; the old one no longer opens it.

    If it was not you, call { $hotline } now.
device-changed-sms = Ky So: ANOTHER PHONE was bound to your digital signature; the old one signs no more. Was it not you? Call { $hotline } now.
device-changed-subject = Another phone is bound to your digital signature
device-changed-mail = Another phone was bound to your digital signature; the old one signs no more.

    If it was not you, call { $hotline } now to lock the signature.
pin-changed-sms = Ky So: the PIN of your digital signature was changed. Was it not you? Call { $hotline } now.
pin-changed-subject = The PIN of your digital signature was changed
pin-changed-mail = The PIN of your digital signature was changed.

    If it was not you, call { $hotline } now to lock the signature.
locked-sms = Ky So: WARNING. Your signature is locked after 5 wrong PINs. Was it not you? Call { $hotline } now.
locked-subject = Your digital signature is locked
locked-mail = Your digital signature was locked after 5 wrong PINs.

    If it was not you, call { $hotline } now.
request-sms = Ky So: a document is waiting for your signature. Open the Ky So icon to see it. If you did not ask for it, refuse. Ky So never sends links.
request-subject = A document is waiting for your signature
request-mail = A document is waiting for you to read and sign.

    Open the Ky So icon on your phone. If you did not ask for it, choose “I did not ask for this”.
