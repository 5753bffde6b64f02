noinst_LIBRARIES += libanalyses.a
libanalyses_a_SOURCES = \
  %D%/analyses.c %D%/analyses.h \
  %D%/blockmap.c %D%/blockmap.h \
  %D%/coverage.c %D%/coverage.h %D%/coverage_count.c %D%/coverage_plot.c %D%/coverage_print.c \
  %D%/events.c %D%/events.h \
  %D%/features.c %D%/features.h \
  %D%/heatmap.c %D%/heatmap.h %D%/heatmap_layout.c %D%/heatmap_layout.h %D%/heatmap_scale.c \
  %D%/jsonout.c %D%/jsonout.h \
  %D%/lineplot.c %D%/lineplot.h %D%/lineplot_axis.c \
  %D%/metrics.c %D%/metrics.h \
  %D%/options.c %D%/options.h %D%/points.c \
  %D%/outliers.c %D%/outliers.h %D%/outliers_json.c %D%/outliers_metrics.c \
  %D%/outliers_print.c %D%/outliers_read.c \
  %D%/palette.c %D%/palette.h \
  %D%/record_text.c %D%/record_text.h \
  %D%/stats.c %D%/stats.h \
  %D%/svg.c %D%/svg.h \
  %D%/table.c %D%/table.h %D%/table_parts.h %D%/table_write.c \
  %D%/utf8.c %D%/utf8.h

ANALYSES_LIBS = libanalyses.a libcli.a $(OSC_LIBS) $(GSL_LIBS)
