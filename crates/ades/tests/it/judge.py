"""What pyHanko says of every signature in every file. usage: judge.py <trusted.pem,…> <file>…

One line a signature: file, field, then the words that hold of it: intact valid trusted whole (it covers the whole file
or its whole revision) unmodified (later changes, if any, are allowed).
"""
import os, sys
from pyhanko.keys import load_certs_from_pemder
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

roots = list(load_certs_from_pemder(sys.argv[1].split(",")))
for name in sys.argv[2:]:
    with open(name, "rb") as file:
        reader = PdfFileReader(file, strict="hybrid" not in name)
        last = len(reader.embedded_signatures) - 1
        for index, signature in enumerate(reader.embedded_signatures):
            context = ValidationContext(trust_roots=roots, allow_fetching=False)
            usage = KeyUsageConstraints(key_usage={"non_repudiation"})
            status = validate_pdf_signature(signature, context, key_usage_settings=usage)
            whole = SignatureCoverageLevel.ENTIRE_FILE if index == last else SignatureCoverageLevel.ENTIRE_REVISION
            allowed = (
                status.modification_level is not None and status.modification_level < ModificationLevel.OTHER
            ) or index == last
            words = [
                word
                for word, holds in [
                    ("intact", status.intact),
                    ("valid", status.valid),
                    ("trusted", status.trusted),
                    ("whole", status.coverage >= whole),
                    ("unmodified", allowed and status.docmdp_ok is not False),
                ]
                if holds
            ]
            print(os.path.basename(name), signature.field_name, *words)
