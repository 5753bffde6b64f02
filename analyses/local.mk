noinst_LIBRARIES += libanalyses.a
libanalyses_a_SOURCES = \
  %D%/ablation.c %D%/ablation.h %D%/ablation_json.c %D%/ablation_parse.c %D%/ablation_plot.c \
  %D%/ablation_print.c %D%/ablation_sets.c %D%/ablation_stats.c \
  %D%/analyses.c %D%/analyses.h \
  %D%/blockmap.c %D%/blockmap.h \
  %D%/bootstrap.c %D%/bootstrap.h \
  %D%/coverage.c %D%/coverage.h %D%/coverage_count.c %D%/coverage_plot.c %D%/coverage_print.c \
  %D%/dotplot.c %D%/dotplot.h \
  %D%/emergence.c %D%/emergence.h %D%/emergence_cautions.c %D%/emergence_json.c \
  %D%/emergence_plot.c %D%/emergence_print.c %D%/emergence_read.c %D%/emergence_tables.c \
  %D%/emergence_text.c \
  %D%/events.c %D%/events.h \
  %D%/features.c %D%/features.h \
  %D%/fit.c %D%/fit.h %D%/fit_forms.c %D%/fit_forms.h \
  %D%/heatmap.c %D%/heatmap.h %D%/heatmap_layout.c %D%/heatmap_layout.h %D%/heatmap_scale.c \
  %D%/json_row.c %D%/json_row.h %D%/jsonout.c %D%/jsonout.h \
  %D%/labels.c %D%/labels.h \
  %D%/lineplot.c %D%/lineplot.h %D%/lineplot_axis.c \
  %D%/mark.c %D%/mark.h %D%/markup.c %D%/markup.h \
  %D%/metrics.c %D%/metrics.h \
  %D%/options.c %D%/options.h %D%/points.c \
  %D%/outliers.c %D%/outliers.h %D%/outliers_json.c %D%/outliers_metrics.c \
  %D%/outliers_options.c %D%/outliers_print.c %D%/outliers_read.c \
  %D%/palette.c %D%/palette.h \
  %D%/published.c %D%/published.h \
  %D%/ranks.c %D%/ranks.h \
  %D%/record_text.c %D%/record_text.h \
  %D%/report.c %D%/report.h %D%/report_page.c %D%/report_provenance.c %D%/report_read.c \
  %D%/report_sections.c %D%/report_source.c %D%/report_style.c %D%/report_summary.c \
  %D%/rng.c %D%/rng.h \
  %D%/scatter.c %D%/scatter.h %D%/scatter_axis.c %D%/scatter_parts.h %D%/scatter_points.c \
  %D%/schemes.c %D%/schemes.h %D%/schemes_plot.c %D%/schemes_study.c %D%/schemes_table.c \
  %D%/stats.c %D%/stats.h \
  %D%/svg.c %D%/svg.h \
  %D%/table.c %D%/table.h %D%/table_html.c %D%/table_parts.h %D%/table_write.c \
  %D%/utf8.c %D%/utf8.h \
  %D%/zeroshot.c %D%/zeroshot.h %D%/zeroshot_json.c %D%/zeroshot_plot.c %D%/zeroshot_table.c

ANALYSES_LIBS = libanalyses.a libcli.a $(OSC_LIBS) $(GSL_LIBS)
