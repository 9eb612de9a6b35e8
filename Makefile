# The verbs of this repository; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help run test fuzz test-broker4 test-cluster test-compose test-dist test-page check dist bench bench-real chaos

SEED ?= 1
SCHEDULES ?= 4000
MINUTES ?= 5
NODES ?= 1
SECONDS ?= 60

help: ## List these verbs
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: ## Build Drover and run a demo: 240 weather stations, a failure, its mending, and a run that does the rest alone
	@.ci/needs cc awk
	cargo build --release --package drover
	@demo/run $(CURDIR)/target/release/drover $(CURDIR)/target/demo

test: ## Run all tests: every room's own, end to end, and a short chaos round
	@.ci/needs cc awk unshare setpriv openssl rabbitmq-server chromium python3 rsync
	cargo test --workspace

test-broker4: ## Run the broker's tests, and those of leaders on one node and on three, on RabbitMQ 4.x, unpacked from a newer release of the distribution
	@.ci/needs cc unshare openssl
	.ci/broker4

test-page: ## Look at every view of the web page in a headless Chromium, at three datums and at a million
	@.ci/needs chromium python3
	python3 tests/page/look.py --mock

test-cluster: ## Run the operator's tests on the Kubernetes that KUBECONFIG names; without one they are skipped, loudly
	@.ci/needs cc rabbitmq-server
	cargo test --workspace --test kubernetes -- --nocapture --test-threads 4

test-compose: ## Build the images of all Dockerfiles and run docker-compose.yml for real; installs docker's engine if there is none
	tests/compose/run

dist: ## Build what a release hands out, in dist/: archive, Debian package, Python wheel, checksums
	@.ci/needs cc python3 dpkg-deb
	packaging/dist

test-dist: dist ## Build the packages, install each in an empty Debian without a compiler, and work with it
	@.ci/needs debootstrap unshare
	tests/dist/run

fuzz: ## Read mutated specs, globs, messages, records, requests and runner frames, each for a while: make fuzz SECONDS=60
	@.ci/needs cc
	FUZZ_SECONDS=$(SECONDS) cargo test --workspace --test fuzz -- --nocapture
	FUZZ_SECONDS=$(SECONDS) cargo test --workspace --lib fuzz:: -- --nocapture

check: ## Check format, lints, documentation, dependencies, language, imports, and files that no compiler sees
	@.ci/needs cc awk python3
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps
	.ci/check-dependencies
	.ci/check-language
	.ci/check-imports
	.ci/check-files
	deploy/check

bench: ## Print Drover's figures beside xargs, GNU parallel, find, bare loops and Celery; ONLY=cluster for a part, ONLY=million for the largest job
	@.ci/needs cc find xargs parallel python3 rabbitmq-server
	cargo bench --package drover-tests --bench figures

bench-real: ## Compare Drover with its peers on real data of the distribution: IMAGES=600 PDFS=12 DOCUMENTS=2000 (0 for all) KILL_EVERY=5
	@.ci/needs cc xargs parallel python3 rabbitmq-server rsvg-convert montage pdftoppm tesseract openclipart-svg texlive-latex-recommended-doc linux-doc-6.1
	ONLY=real cargo bench --package drover-tests --bench figures

chaos: ## Run leaders in thousands of interleavings, then kill, stop and freeze Drover, its broker and its network at random: make chaos SEED=7 SCHEDULES=4000 MINUTES=10 NODES=3
	@.ci/needs cc rabbitmq-server
	DROVER_SEED=$(SEED)000000 DROVER_SCHEDULES=$(SCHEDULES) cargo test --workspace --lib interleavings
	SEED=$(SEED) MINUTES=$(MINUTES) NODES=$(NODES) cargo test --release --package drover-tests --test chaos -- --nocapture
