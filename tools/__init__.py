"""The instruments: pure engines by subject, and the catalogue that offers them as tools."""
