CREATE TABLE rollouts (
    number {identity},
    id TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    stable TEXT NOT NULL,
    canary TEXT NOT NULL,
    -- Whether the model had the alias `stable` when the rollout began; a promotion expects to find it as it was.
    had_alias BIGINT NOT NULL,
    plan {bytes} NOT NULL,
    actor TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    running BIGINT NOT NULL,
    state BIGINT NOT NULL,
    step BIGINT NOT NULL,
    step_began_at BIGINT NOT NULL,
    -- How long it has been in its state, as the replicas that decided measured it; see decision 0013.
    elapsed_ms BIGINT NOT NULL,
    -- What had been seen when the step began.
    requests_before BIGINT NOT NULL,
    pairs_before BIGINT NOT NULL,
    first_canary_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    revision BIGINT NOT NULL,
    -- Of one that has ended: its counts, tests and replicas, as a Rollout message.
    closing {bytes} NOT NULL
);
CREATE UNIQUE INDEX running_rollout_of_model ON rollouts (model) WHERE running = 1;
CREATE INDEX rollouts_of_model ON rollouts (model, number);

CREATE TABLE rollout_verdicts (
    number {identity},
    rollout TEXT NOT NULL REFERENCES rollouts (id),
    content {bytes} NOT NULL
);
CREATE INDEX verdicts_of_rollout ON rollout_verdicts (rollout, number);

-- What gateways reported, in the order in which it was accepted: RequestOutcome and Sample messages.
CREATE TABLE rollout_observations (
    number {identity},
    rollout TEXT NOT NULL REFERENCES rollouts (id),
    pair BIGINT NOT NULL,
    distance DOUBLE PRECISION NOT NULL,
    content {bytes} NOT NULL
);
CREATE INDEX observations_of_rollout ON rollout_observations (rollout, number);
CREATE INDEX pairs_by_distance ON rollout_observations (rollout, distance) WHERE pair = 1;

CREATE TABLE rollout_thumbnails (
    observation BIGINT PRIMARY KEY REFERENCES rollout_observations (number),
    rollout TEXT NOT NULL,
    distance DOUBLE PRECISION NOT NULL,
    stable {bytes} NOT NULL,
    canary {bytes} NOT NULL
);
CREATE INDEX thumbnails_of_rollout ON rollout_thumbnails (rollout, observation);

-- Reports that were counted, while their rollout runs.
CREATE TABLE rollout_reports (
    rollout TEXT NOT NULL REFERENCES rollouts (id),
    reporter TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (rollout, reporter, sequence)
);

-- The stages' replicas that watch, while the rollout runs.
CREATE TABLE rollout_replicas (
    rollout TEXT NOT NULL REFERENCES rollouts (id),
    stage TEXT NOT NULL,
    replica TEXT NOT NULL,
    state BIGINT NOT NULL,
    detail TEXT NOT NULL,
    added_bytes BIGINT NOT NULL,
    shared_bytes BIGINT NOT NULL,
    fetched_bytes BIGINT NOT NULL,
    took_ms BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (rollout, stage, replica)
);

-- Who decides. `beat` rises while the holder lives, `term` with each new holder.
CREATE TABLE rollout_lease (
    holder TEXT NOT NULL,
    term BIGINT NOT NULL,
    beat BIGINT NOT NULL
);
INSERT INTO rollout_lease (holder, term, beat) VALUES ('', 0, 0);
