libosc_a_SOURCES += %D%/scheme.h %D%/schemes.c %D%/none.c %D%/coded.c %D%/coded.h \
  %D%/plain.c %D%/decomposed.c %D%/columns.c %D%/columns.h \
  %D%/several.c %D%/several.h
