"""What a person sees: the only room, besides app.py, that knows Gradio."""
