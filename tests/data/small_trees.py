"""A small whole tree in each layout, made in a second: what the fuzz damages."""

import io
import tarfile

import numpy as np
from PIL import Image

N = 12


def grey(path, i, height=20, width=20, channels=None):
    shape = (height, width) if channels is None else (height, width, channels)
    pixels = np.random.default_rng(i).integers(0, 256, shape, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def table(path, rows):
    path.write_text("\n".join([*rows, ""]), encoding="utf-8")


def mimic(root):
    from shortlib.data.phantoms.mimic_files import write_mimic

    write_mimic(root, N, size=32, n_jobs=1)


def chexpert(root):
    from shortlib.data.phantoms.chexpert_files import write_chexpert

    write_chexpert(root, N, size=32, n_jobs=1)


def covid(root):
    from shortlib.data.phantoms.covid_files import write_covid

    write_covid(root, 4, n_jobs=1)


def siim(root):
    from shortlib.data.phantoms.siim_files import write_siim

    write_siim(root, N, size=32, n_jobs=1)


def isic(root):
    from shortlib.data.phantoms.skin_files import write_isic2018

    write_isic2018(root, 40, size=32)


def acdc(root):
    from shortlib.data.phantoms.cardiac_files import write_acdc

    write_acdc(root, 5, field_of_view=120.0, spacing=3.0, test_share=0.4)


def cm(root):
    from shortlib.data.phantoms.cardiac_files import write_cm

    write_cm(root, 4, field_of_view=120.0, spacing=3.0)


def nih(root):
    rows = ["Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,View Position"]
    for i in range(N):
        grey(root / "images" / f"{i:08d}_000.png", i)
        found = "No Finding" if i % 3 else "Effusion|Edema"
        rows.append(f"{i:08d}_000.png,{found},{i},{40 + i},{'FM'[i % 2]},PA")
    table(root / "Data_Entry_2017.csv", rows)


def image_text(root):
    rows = ["file,patientid,finding,view,sex,age,license,clinical_notes"]
    for i in range(N):
        grey(root / "images" / f"{i}.jpg", i, 20 + i, 30)
        finding = ("COVID-19", "SARS", "No Finding")[i % 3]
        rows.append(f'{i}.jpg,{i // 2},{finding},PA,M,{30 + i},CC BY,"Case {i}, opacities."')
    table(root / "metadata.csv", rows)


def openi(root):
    report = (
        '<?xml version="1.0"?><eCitation><uId id="CXR{i}"/><Abstract>'
        '<AbstractText Label="FINDINGS">Finding {i}.</AbstractText>'
        '<AbstractText Label="IMPRESSION">Clear.</AbstractText></Abstract>'
        "<MeSH><major>{mesh}</major></MeSH>"
        '<parentImage id="CXR{i}_IM-0001-1001"/></eCitation>'
    )
    root.mkdir(parents=True, exist_ok=True)
    with tarfile.open(root / "NLMCXR_reports.tgz", "w:gz") as archive:
        for i in range(N):
            mesh = "normal" if i % 2 else "Opacity/lung"
            content = report.format(i=i, mesh=mesh).encode()
            member = tarfile.TarInfo(f"ecgen-radiology/{i}.xml")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
            grey(root / "images" / f"CXR{i}_IM-0001-1001.png", i)


def image_table(root):
    rows = ["image,label,patient,abnormality,shortcut:ruler,age"]
    for i in range(N):
        grey(root / "images" / f"{i}.png", i)
        if i % 2:
            (root / "masks").mkdir(exist_ok=True)
            Image.fromarray(np.eye(20, dtype=np.uint8) * 255).save(root / "masks" / f"{i}.png")
        mask = f"masks/{i}.png" if i % 2 else ""
        rows.append(f"images/{i}.png,{('well', 'sick')[i % 2]},p{i},{mask},{i % 2},{40 + i}")
    table(root / "cases.csv", rows)


MAKE = {
    "mimic-cxr-jpg": mimic,
    "chexpert": chexpert,
    "covid-radiography": covid,
    "siim-acr": siim,
    "isic2018": isic,
    "acdc": acdc,
    "cm": cm,
    "nih-cxr14": nih,
    "image-text": image_text,
    "openi": openi,
    "image-table": image_table,
}
