modeldir = $(pkgdatadir)
