"""What was filled into a PDF's forms, and written on its pages afterwards. Knows PDFium; knows no page's text.

Nothing that a form brings along is run: PDFium comes without JavaScript and XFA, and one that had them would be shown no forms.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

MOST = 5_000  # annotations of one page that are looked at
MOST_OPTIONS = 1_000  # of a list
LONGEST = 20_000  # characters of one value or note


class Said(NamedTuple):
    """A line, and the box in points of the page (from its bottom left corner) where it stands or belongs."""

    text: str
    left: float
    bottom: float
    right: float
    top: float


def open_forms(document: Any) -> None:
    """Make a document's fields known, so that they are drawn with its pages and can be read; before any page is opened."""
    import pypdfium2 as pdfium

    if not {"V8", "XFA"} & set(pdfium.PDFIUM_INFO.flags):
        with suppress(pdfium.PdfiumError):
            document.init_forms()


def only_for_acrobat(document: Any) -> bool:
    """Whether a form is one of XFA, whose pages no other program than Adobe's makes up."""
    import pypdfium2.raw as raw

    return bool(document.get_formtype() == raw.FORMTYPE_XFA_FULL)


def said(document: Any, page: Any) -> list[Said]:
    """Each filled field with its name, then each note, in the order in which the file has them."""
    import pypdfium2.raw as raw

    fields: dict[str, Said] = {}  # several boxes of a page may show the same field
    notes: dict[str, Said] = {}
    rectangle = raw.FS_RECTF()
    for number in range(min(MOST, raw.FPDFPage_GetAnnotCount(page))):
        annotation = raw.FPDFPage_GetAnnot(page, number)
        if not annotation:
            continue
        try:
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            if kind in (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP) or raw.FPDFAnnot_GetFlags(annotation) & _UNSEEN:
                continue
            field = kind == raw.FPDF_ANNOT_WIDGET
            text = _field(document.formenv, annotation) if field else _string(raw.FPDFAnnot_GetStringValue, annotation, b"Contents")
            if text:
                known = raw.FPDFAnnot_GetRect(annotation, rectangle)
                sides = (rectangle.left, rectangle.bottom, rectangle.right, rectangle.top) if known else (0.0, 0.0, 0.0, 0.0)
                (fields if field else notes).setdefault(text, Said(text, *sides))
        finally:
            raw.FPDFPage_CloseAnnot(annotation)
    return [*fields.values(), *notes.values()]


_UNSEEN = 2 | 32  # hidden, or not on screens (ISO 32000-1, table 165)


def _field(forms: Any, widget: Any) -> str:
    """`Name: value`; empty where nothing is filled in, or a password is."""
    import pypdfium2.raw as raw

    if not forms:
        return ""
    kind = raw.FPDFAnnot_GetFormFieldType(forms, widget)
    if kind in (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON):
        value = _string(raw.FPDFAnnot_GetFormFieldExportValue, forms, widget) if raw.FPDFAnnot_IsChecked(forms, widget) else ""
    elif kind in (raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX):
        value = ", ".join(_chosen(forms, widget)) or _string(raw.FPDFAnnot_GetFormFieldValue, forms, widget)
    elif kind == raw.FPDF_FORMFIELD_TEXTFIELD:
        secret = raw.FPDFAnnot_GetFormFieldFlags(forms, widget) & raw.FPDF_FORMFLAG_TEXT_PASSWORD
        value = "" if secret else _string(raw.FPDFAnnot_GetFormFieldValue, forms, widget)
    else:
        return ""
    if not value:
        return ""
    # the tooltip is written for people; of "form[0].page[0].name[0]" only the last says anything
    name = _string(raw.FPDFAnnot_GetFormFieldAlternateName, forms, widget)
    name = name or _string(raw.FPDFAnnot_GetFormFieldName, forms, widget).rpartition(".")[2].partition("[")[0]
    return f"{name.rstrip(': ')}: {value}" if name else value


def _chosen(forms: Any, widget: Any) -> Iterator[str]:
    import pypdfium2.raw as raw

    for number in range(min(MOST_OPTIONS, raw.FPDFAnnot_GetOptionCount(forms, widget))):
        if raw.FPDFAnnot_IsOptionSelected(forms, widget, number):
            yield _string(raw.FPDFAnnot_GetOptionLabel, forms, widget, number)


def _string(get: Callable[..., int], *of: Any) -> str:
    """What one of PDFium's functions writes in UTF-16, as one line."""
    import pypdfium2.raw as raw

    size = get(*of, None, 0)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    get(*of, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), size)
    return " ".join(buffer.raw[: size - 2].decode("utf-16-le", "replace").split())[:LONGEST]
