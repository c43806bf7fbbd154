"""An experiment: does fine-tuning or retrieval give a model the facts of a table?"""
