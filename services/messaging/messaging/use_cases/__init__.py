"""What messaging does, one module per aggregate; a use case opens the transaction and decides."""
