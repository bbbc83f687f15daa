"""The tables and figures of the papers: what each is made of, and how it is trained and scored."""
