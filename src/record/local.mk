libosc_a_SOURCES += %D%/record.h \
  %D%/check.c \
  %D%/h5.c %D%/h5.h \
  %D%/info.c %D%/info.h \
  %D%/layout.c %D%/layout.h \
  %D%/read.c %D%/reader.h \
  %D%/record.c
