drover run drover.yaml
