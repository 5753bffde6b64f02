libosc_a_SOURCES += %D%/record.h
