noinst_LIBRARIES += libcli.a
libcli_a_SOURCES = %D%/cli.h %D%/private.h \
  %D%/help.c %D%/messages.c %D%/options.c %D%/output.c %D%/output.h %D%/progress.c %D%/shipped.c

# Only so that a program run from its build tree finds share/ of the source tree.
libcli_a_CPPFLAGS = $(AM_CPPFLAGS) -DOSC_BUILDDIR='"$(abs_top_builddir)"' \
  -DOSC_SOURCEDIR='"$(abs_top_srcdir)"' -DOSC_PKGDATADIR='"$(pkgdatadir)"'
