/* X(name): fuzz_NAME.c */
X(config)
X(documents)
X(options)
X(record)
X(safetensors)
X(tokenizer)
X(tokens)
X(torch)
