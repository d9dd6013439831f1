from hypothesis import settings

# Wall time and earlier failures must not decide a test.
settings.register_profile("dcrit", derandomize=True, deadline=None, database=None)
settings.load_profile("dcrit")
