"""One value each: durations, instants, numbers, names, hosts, HTTP's words, text; and what is wrong with one."""
