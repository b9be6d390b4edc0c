"""Webhooks: what happens in the hub, told to the systems of those who run robots - an ERP, a MES, a pager."""
