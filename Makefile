# The ways into the house. `make help` lists them. Everything runs on Debian, Ubuntu and macOS.
SHELL := /bin/sh
CARGO ?= cargo
INTERREX := target/release/interrex
CACHE := $${XDG_CACHE_HOME:-$$HOME/.cache}/interrex

.DEFAULT_GOAL := help
.PHONY: help engine demo test lint check build bench chaos hunt mutants model conformance worlds clean-cache
.PHONY: e2e e2e-full e2e-rivals e2e-cluster e2e-cluster-down e2e-cluster-selftest

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' Makefile | \
		while IFS='|' read -r name what; do printf '  make %-20s %s\n' "$$name" "$$what"; done

engine: ## an engine on the PATH: does nothing when there is one
	@scripts/install-engine.sh

build: ## the optimised binary, target/release/interrex
	@scripts/build.sh

demo: engine build ## starts a group, kills its primary three times under load, shows what was lost
	$(INTERREX) demo

model: ## every order of every step of the big small worlds, in release: half an hour, 6 GB
	MODEL=full $(CARGO) test --locked --release -p interrex-model -- --nocapture --test-threads=1

lint: ## formatting and clippy, warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

test: engine ## every test: house rules, simulated worlds, real engines
	$(CARGO) test --locked --workspace

worlds: ## small worlds, every placement of a few faults in them: minutes, optimised
	WORLDS=full $(CARGO) test --locked --release -p interrex-sim --test exhaustive -- --nocapture

check: test lint ## test and lint, before a commit

bench: engine build ## throughput of a group's engine against the same engine bare
	$(INTERREX) bench

chaos: engine build ## kills, freezes and cuts a throw-away group, and measures the write gaps
	$(INTERREX) chaos

hunt: ## hunts in simulated worlds for MINUTES=10 from seed FIRST=100000 on, or tells that of SEED=… (FAMILY=…)
	@of="$(if $(FAMILY),--family $(FAMILY))"; \
	if [ -n "$(SEED)" ]; then $(CARGO) xtask sim --seed $(SEED) $$of; \
	else $(CARGO) xtask hunt --minutes $${MINUTES:-10} --first $${FIRST:-100000} $$of; fi

mutants: ## takes one rule of the protocol out at a time: the checkers must see each
	$(CARGO) test --locked -p interrex-sim --test mutants -- --nocapture --test-threads=1

conformance: engine ## the simulator's engine and every real one, step by step: any difference fails
	ENGINES=all $(CARGO) test --locked -p interrex-trial --test conformance -- --nocapture

clean-cache: ## removes the engines of other versions that scripts/engines.sh unpacked
	rm -rf "$(CACHE)/engines"

e2e: ## groups on a real Kubernetes (that of E2E_KUBECONFIG, else our own): every row a few times
	@e2e/run short

e2e-full: ## the same, as often as the promised figures need: hours
	@e2e/run full

e2e-rivals: ## the same harms to what others run and to a group of ours, side by side as pods
	@e2e/run rivals

e2e-cluster: ## a Kubernetes with three hosts on this machine (Linux, root); prints its kubeconfig
	@e2e/cluster/up

e2e-cluster-down: ## removes that Kubernetes and every trace of it
	@e2e/cluster/down

e2e-cluster-selftest: ## breaks and mends that Kubernetes in every way that tests do
	@e2e/cluster/selftest
