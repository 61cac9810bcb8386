"""PostgreSQL's SQL as a tree with positions: lexer, statement splitter, parser. No opinion, no catalog."""
