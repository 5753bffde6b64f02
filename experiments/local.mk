bin_PROGRAMS += outlierscope
outlierscope_SOURCES = %D%/main.c %D%/experiments.c %D%/experiments.h \
  %D%/describe.h %D%/describe_checkpoint.c %D%/describe_record.c \
  %D%/info.c %D%/perplexity.c \
  %D%/provenance.c %D%/provenance.h \
  %D%/record.c %D%/record_report.c %D%/record_report.h \
  %D%/run.c %D%/run.h %D%/stop.c %D%/stop.h %D%/tokenize.c \
  %D%/without.c %D%/without.h
outlierscope_LDADD = libanalyses.a libcli.a $(OSC_LIBS) $(GSL_LIBS)

dist_man_MANS += %D%/outlierscope.1

bashcompdir = $(datadir)/bash-completion/completions
dist_bashcomp_DATA = %D%/completion/outlierscope
