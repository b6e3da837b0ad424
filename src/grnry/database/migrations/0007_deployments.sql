-- Deployments with replicas, resources and deadlines, and what a deployer keeps of them.

alter table grnry.deployments
  -- What one replica may take, and how long it may take to be ready.
  add column resources jsonb not null default '{}',
  -- Moves with every START and RESTART: what runs for an earlier one is replaced.
  add column run bigint not null default 1,
  add column observed_run bigint not null default 0,
  -- How a deployer finds again what it has started, in words of its own.
  add column saved jsonb not null default '{}',
  add constraint deployments_replicas check (replicas >= 1);
