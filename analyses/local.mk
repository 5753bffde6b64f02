noinst_LIBRARIES += libanalyses.a
libanalyses_a_SOURCES = \
  %D%/heatmap.c %D%/heatmap.h %D%/heatmap_scale.c \
  %D%/jsonout.c %D%/jsonout.h \
  %D%/options.c %D%/options.h \
  %D%/palette.c %D%/palette.h \
  %D%/stats.c %D%/stats.h \
  %D%/svg.c %D%/svg.h \
  %D%/table.c %D%/table.h %D%/table_parts.h %D%/table_write.c \
  %D%/utf8.c %D%/utf8.h

ANALYSES_LIBS = libanalyses.a libcli.a $(OSC_LIBS) $(GSL_LIBS)
