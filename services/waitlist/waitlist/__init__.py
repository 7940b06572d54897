"""Interest in scarce pieces, and who was offered one."""
