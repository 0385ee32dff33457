"""Makes the documents the tests sign, one of each shape a PDF may have. usage: inputs.py <directory>

Everything is invented. Shapes: cross-reference table, stream, hybrid; object streams; linearised; AcroForm absent,
direct, indirect; Fields and Annots direct, indirect, absent; rotated and cropped pages; signed and certified before.
"""
import datetime, io, os, subprocess, sys, zlib
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen import canvas

out = sys.argv[1]
path = lambda name: os.path.join(out, name + ".pdf")


def save(name, data):
    with open(path(name), "wb") as file:
        file.write(data)


def plain(pages=3, size=A4, pad=0):
    buffer = io.BytesIO()
    page = canvas.Canvas(buffer, pagesize=size)
    for number in range(pages):
        page.setFont("Helvetica", 14)
        page.drawString(72, size[1] - 90, f"Ho so mau, trang {number + 1}")
        for line in range(30):
            page.drawString(72, size[1] - 130 - 18 * line, f"{line + 1}. noi dung mau khong co that, dong {line + 1}")
        page.showPage()
    page.save()
    return buffer.getvalue()


def form():
    buffer = io.BytesIO()
    page = canvas.Canvas(buffer, pagesize=A4)
    page.drawString(72, 750, "Don mau")
    page.acroForm.textfield(name="ho_ten", x=72, y=700, width=200, height=20, value="Nguyen Van Mau")
    page.acroForm.checkbox(name="dong_y", x=72, y=660)
    page.showPage()
    page.save()
    return buffer.getvalue()


def qpdf(source, name, *options):
    subprocess.run(["qpdf", *options, path(source), path(name)], check=True)


def build(objects, root=1, stream=(), extra="", newline=b"\n"):
    """A file with a classic table from {number: body}; bodies are str or (dictionary, data)."""
    data = b"%PDF-1.6\n%\xe2\xe3\xcf\xd3\n"
    offsets = {}
    for number, body in sorted(objects.items()):
        offsets[number] = len(data)
        if isinstance(body, tuple):
            text = body[0].replace(">>", f"/Length {len(body[1])}>>").encode() + b"\nstream\n" + body[1] + b"\nendstream"
        else:
            text = body.encode("latin-1")
        data += f"{number} 0 obj\n".encode() + text + b"\nendobj\n"
    size = max(objects) + 1
    start = len(data)
    data += f"xref\n0 {size}\n0000000000 65535 f \n".encode()
    for number in range(1, size):
        data += f"{offsets[number]:010} 00000 n \n".encode() if number in offsets else b"0000000000 00001 f \n"
    data += f"trailer\n<</Size {size}/Root {root} 0 R{extra}>>\nstartxref\n{start}\n%%EOF".encode() + newline
    return data


TEXT = b"BT /F 14 Tf 60 120 Td (Trang mau) Tj ET"
FONT = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"


def pages(page, catalog="", tree="", extra=None):
    objects = {
        1: f"<</Type/Catalog/Pages 2 0 R{catalog}>>",
        2: f"<</Type/Pages/Kids[3 0 R]/Count 1{tree}>>",
        3: f"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>{page}>>",
        4: ("<<>>", TEXT),
        5: FONT,
    }
    objects.update(extra or {})
    return objects


BOX = "/MediaBox[0 0 595 842]"
WIDGET = "<</Type/Annot/Subtype/Widget/FT/Tx/T(ten)/V(Mau)/DA(/F 10 Tf 0 g)/Rect[60 300 200 320]/F 4/P 3 0 R>>"
LINK = "<</Type/Annot/Subtype/Link/Rect[60 60 100 80]/Border[0 0 0]/A<</S/URI/URI(https://example.vn)>>>>"


def hand_made():
    save("bare-no-final-newline", build(pages(BOX), newline=b""))
    save("inherited", build(pages("", tree=BOX + "/Rotate 90")))
    save("annots-direct", build(pages(BOX + "/Annots[6 0 R]", extra={6: LINK})))
    save("annots-indirect", build(pages(BOX + "/Annots 7 0 R", extra={6: LINK, 7: "[6 0 R]"})))
    save("annots-null", build(pages(BOX + "/Annots null")))
    acroform = "<</Fields[6 0 R]/DR<</Font<</F 5 0 R>>>>/DA(/F 10 Tf 0 g)>>"
    annots = BOX + "/Annots[6 0 R]"
    save("form-direct", build(pages(annots, "/AcroForm" + acroform, extra={6: WIDGET})))
    save("form-indirect", build(pages(annots, "/AcroForm 7 0 R", extra={6: WIDGET, 7: acroform})))
    indirect = acroform.replace("[6 0 R]", " 8 0 R", 1)
    save("form-fields-indirect", build(pages(annots, "/AcroForm 7 0 R", extra={6: WIDGET, 7: indirect, 8: "[6 0 R]"})))
    save("form-direct-fields-indirect", build(pages(annots, "/AcroForm" + indirect, extra={6: WIDGET, 8: "[6 0 R]"})))
    save("identified", build(pages(BOX), extra="/ID[<00112233445566778899aabbccddeeff><00112233445566778899aabbccddeeff>]"))
    for rotation in (90, 180, 270):
        save(f"rotated-{rotation}", build(pages(f"/MediaBox[0 0 595 842]/CropBox[20 40 575 800]/Rotate {rotation}")))
    save("user-unit", build(pages("/MediaBox[0 0 297.5 421]/UserUnit 2")))
    save("small-page", build(pages("/MediaBox[0 0 160 110]")))
    save("spaced-table", build(pages(BOX)).replace(b" n \n", b" n\n").replace(b" f \n", b" f\n"))
    hybrid()


def hybrid():
    """ISO 32000-1 7.5.8.4: the table hides objects 6 (object stream), 7 (within it) as free, the stream shows them."""
    inner = LINK.encode()
    packed = zlib.compress(b"7 0 " + inner)
    objects = pages(BOX + "/Annots[7 0 R]")
    data = b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n"
    offsets = {}
    for number, body in sorted(objects.items()):
        offsets[number] = len(data)
        text = body.encode() if isinstance(body, str) else b"<</Length %d>>\nstream\n" % len(body[1]) + body[1] + b"\nendstream"
        data += b"%d 0 obj\n" % number + text + b"\nendobj\n"
    offsets[6] = len(data)
    data += b"6 0 obj\n<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length %d>>\nstream\n" % len(packed) + packed + b"\nendstream\nendobj\n"
    stream_at = len(data)
    rows = b"\x01" + offsets[6].to_bytes(4, "big") + b"\x00" + b"\x02" + (6).to_bytes(4, "big") + b"\x00"
    data += b"8 0 obj\n<</Type/XRef/W[1 4 1]/Index[6 2]/Size 9/Root 1 0 R/Length %d>>\nstream\n" % len(rows) + rows + b"\nendstream\nendobj\n"
    start = len(data)
    data += b"xref\n0 9\n0000000000 65535 f \n"
    for number in range(1, 9):
        data += b"%010d 00000 n \n" % offsets[number] if number < 6 else b"0000000000 65535 f \n"
    data += b"trailer\n<</Size 9/Root 1 0 R/XRefStm %d>>\nstartxref\n%d\n%%%%EOF\n" % (stream_at, start)
    save("hybrid", data)


def signed_before():
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import fields, signers
    from pyhanko.sign.fields import FieldMDPAction, FieldMDPSpec, MDPPerm, SigFieldSpec
    from asn1crypto import keys, x509 as asn1_x509
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Other Signer of the Tests")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(True, None), True)
        .add_extension(x509.KeyUsage(True, True, False, False, False, True, True, False, False), True)
        .sign(key, hashes.SHA256())
    )
    with open(os.path.join(out, "other.pem"), "wb") as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    der = serialization.Encoding.DER
    signer = signers.SimpleSigner(
        signing_cert=asn1_x509.Certificate.load(certificate.public_bytes(der)),
        signing_key=keys.PrivateKeyInfo.load(
            key.private_bytes(der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        ),
        cert_registry=SimpleCertificateStore(),
    )

    def sign(source, name, spec=None, **options):
        writer = IncrementalPdfFileWriter(io.BytesIO(source))
        options.setdefault("field_name", "Truoc")
        meta = signers.PdfSignatureMetadata(subfilter=fields.SigSeedSubFilter.PADES, **options)
        signed = signers.PdfSigner(meta, signer, new_field_spec=spec).sign_pdf(writer)
        save(name, signed.getvalue())

    source = open(path("plain"), "rb").read()
    visible = SigFieldSpec("Truoc", on_page=2, box=(351, 24, 571, 94))
    sign(source, "signed")
    sign(source, "signed-visible", visible)
    sign(open(path("object-streams"), "rb").read(), "signed-object-streams")
    sign(form(), "signed-form")
    for permission in MDPPerm.NO_CHANGES, MDPPerm.FILL_FORMS, MDPPerm.ANNOTATE:
        sign(source, f"certified-{permission.value}", certify=True, docmdp_permissions=permission)

    def with_empty(name, spec, source=source):
        writer = IncrementalPdfFileWriter(io.BytesIO(source))
        fields.append_signature_field(writer, spec)
        buffer = io.BytesIO()
        writer.write(buffer)
        save(name, buffer.getvalue())
        return buffer.getvalue()

    box = (60, 60, 280, 130)
    empty = with_empty("empty-field", SigFieldSpec("NguoiKy", on_page=0, box=box))
    with_empty("empty-field-invisible", SigFieldSpec("NguoiKy"))
    for action in FieldMDPAction.INCLUDE, FieldMDPAction.EXCLUDE:
        spec = SigFieldSpec("Khoa", field_mdp_spec=FieldMDPSpec(action, ["ho_ten"]))
        kind = action.name.lower()
        locking = with_empty(f"empty-field-locking-{kind}", spec)
        sign(locking, f"locked-{kind}", field_name="Khoa")
    lock = FieldMDPSpec(FieldMDPAction.ALL)
    with_empty("empty-field-locking", SigFieldSpec("NguoiKy", on_page=0, box=box, field_mdp_spec=lock), form())
    sign(empty, "certified-with-empty-field", certify=True, docmdp_permissions=MDPPerm.FILL_FORMS)


def refused():
    save("refused-encrypted-by-hand", build(pages(BOX), extra="/Encrypt<</Filter/Standard/V 1/R 2/O()/U()/P -4>>"))
    dynamic = "/NeedsRendering true/AcroForm<</Fields[]/XFA 6 0 R>>"
    save("refused-dynamic-form", build(pages(BOX, dynamic, extra={6: ("<<>>", b"<xdp/>")})))
    save("refused-no-pages", build({1: "<</Type/Catalog/Pages 2 0 R>>", 2: "<</Type/Pages/Kids[]/Count 0>>"}))


os.makedirs(out, exist_ok=True)
save("plain", plain())
save("form", form())
qpdf("plain", "object-streams", "--object-streams=generate")
qpdf("plain", "linearised", "--linearize")
qpdf("plain", "linearised-object-streams", "--linearize", "--object-streams=generate")
qpdf("form", "form-object-streams", "--object-streams=generate")
qpdf("plain", "refused-encrypted", "--encrypt", "", "owner", "256", "--")
qpdf("plain", "refused-encrypted-password", "--encrypt", "user", "owner", "256", "--")
qpdf("object-streams", "refused-encrypted-streams", "--encrypt", "", "owner", "128", "--use-aes=y", "--")
hand_made()
signed_before()
refused()
