"""Vision-language models as judges: an endpoint or a local model, asked with our own prompts, answers kept on disk.

case ──► gedit │ imgedit ──► prompts ──► cache ──► endpoint │ local
                scores  ◄──  parsing ◄────┘
"""
