def is_decided(config, steps, rows): return False
