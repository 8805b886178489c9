create table t (a int, owner text);
alter table t enable row level security;
create policy one on t using (a > 1 and owner = current_user);
create policy two on t as restrictive for update using (true) with check (a > 0);
