package sampler

import "strings"

// Defaults returns what the makers of a model recommend, by what its GGUF file says of itself,
// by key; think says whether the model may think before it answers. For a model of which that is
// not known they are llama.cpp's.
func Defaults(texts map[string]string, think bool) Options {
	o := Options{RepeatPenalty: 1, RepeatLastN: 64, Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05}
	set := func(temperature float32, topK int, topP float32) {
		o.Temperature, o.TopK, o.TopP, o.MinP = temperature, topK, topP, 0
	}
	name, chat := strings.ToLower(texts["general.name"]), texts["tokenizer.chat_template"]
	switch architecture := texts["general.architecture"]; {
	case architecture == "qwen3" && think:
		set(0.6, 20, 0.95)
	case architecture == "qwen3" || architecture == "qwen2":
		set(0.7, 20, 0.8)
	case strings.Contains(name, "smollm") || texts["tokenizer.ggml.pre"] == "smollm":
		set(0.2, 0, 0.9)
	case strings.Contains(name, "tinyllama"):
		set(0.7, 50, 0.95)
	case strings.Contains(chat, "<|start_header_id|>"): // Llama 3
		set(0.6, 0, 0.9)
	}
	return o
}
