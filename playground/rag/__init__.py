"""Documents: PDF -> pages -> passages -> index -> evidence -> answer with citations."""
