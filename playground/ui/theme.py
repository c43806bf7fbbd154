"""The look: calm, much white, one accent colour, and one colour each for base and tuned. Nothing is fetched, fonts are the system's.

Colours are chosen for contrast 4.5:1 on their ground in light and dark, and base (blue) and tuned (orange) to stay apart for the
colour-blind (after Okabe and Ito, "Color Universal Design", 2008).
"""

from __future__ import annotations

import gradio as gr
from gradio.themes.utils import colors, sizes

BASE, TUNED, ACCENT = "#0072b2", "#c2540a", "#0f766e"
SYSTEM = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def theme() -> gr.themes.Base:
    return gr.themes.Base(
        primary_hue=colors.teal,
        secondary_hue=colors.teal,
        neutral_hue=colors.slate,
        radius_size=sizes.radius_md,
        spacing_size=sizes.spacing_md,
        text_size=sizes.text_md,
        font=SYSTEM,
        font_mono=MONO,
    ).set(
        body_background_fill="#f8fafc",
        body_background_fill_dark="#0b1220",
        background_fill_primary_dark="#111a2b",
        background_fill_secondary_dark="#0f1726",
        block_background_fill="white",
        block_background_fill_dark="#111a2b",
        block_border_color="*neutral_200",
        block_border_color_dark="#263348",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_100",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        input_background_fill_dark="#0b1220",
        input_border_color="*neutral_300",
        input_border_color_dark="#33445f",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
        button_primary_text_color="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_dark="#18243a",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="#33445f",
        button_large_text_weight="600",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
        color_accent=ACCENT,
    )
