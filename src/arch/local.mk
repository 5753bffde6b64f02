libosc_a_SOURCES += %D%/archs.c %D%/opt.c
