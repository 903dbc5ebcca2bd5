-- Up to when watches have shown that nothing changed after a comparison: its evidence is that new.
ALTER TABLE comparisons ADD COLUMN confirmed_until BIGINT;
