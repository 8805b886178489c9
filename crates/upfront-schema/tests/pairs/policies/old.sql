create table t (a int, owner text);
alter table t enable row level security;
create policy one on t using (a > 0);
create policy two on t for insert with check (a > 0);
