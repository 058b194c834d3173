def read_observations(x):
    raise NotImplementedError
