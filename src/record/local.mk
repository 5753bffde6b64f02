libosc_a_SOURCES += %D%/record.h \
  %D%/bind.c \
  %D%/check.c \
  %D%/commit.c %D%/commit.h \
  %D%/counter.c %D%/counter.h \
  %D%/create.c \
  %D%/draft.c %D%/draft.h \
  %D%/family.c %D%/family.h \
  %D%/h5.c %D%/h5.h \
  %D%/info.c %D%/info.h \
  %D%/layout.c %D%/layout.h \
  %D%/merge.c \
  %D%/metrics.c %D%/metrics.h \
  %D%/raw.c \
  %D%/read.c %D%/read_metrics.c %D%/reader.h \
  %D%/record.c \
  %D%/recorder.c %D%/recorder_state.h \
  %D%/resume.c \
  %D%/scales.c %D%/scales.h \
  %D%/seal.c %D%/seal.h %D%/sealed.c \
  %D%/top1.c \
  %D%/write.c
