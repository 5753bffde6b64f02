libosc_a_SOURCES += %D%/scheme.h %D%/schemes.c %D%/none.c
