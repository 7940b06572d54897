"""What outreach does: one async function a thing, by aggregate. Opens transactions, decides; speaks no SQL or proto."""
