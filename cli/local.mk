noinst_LIBRARIES += libcli.a
libcli_a_SOURCES = %D%/cli.h %D%/output.c %D%/output.h
