-- The run history of version 0.1.0 after two backfills: one of the sample, one of a folder with a
-- file that is no trip file. Written by `.dump` of its history.sqlite; only the folder was renamed.
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE run_files (
    run_id TEXT NOT NULL, file TEXT NOT NULL, position INTEGER NOT NULL, state TEXT NOT NULL,
    reason TEXT NOT NULL, rows INTEGER, inserted INTEGER, updated INTEGER, deleted INTEGER,
    unchanged INTEGER, rejected INTEGER, bytes INTEGER, sha256 TEXT, seconds REAL,
    bytes_billed INTEGER, slot_ms INTEGER,
    PRIMARY KEY (run_id, file)
);
INSERT INTO "run_files" VALUES('20261128-234939-db7f559b','green_tripdata_2020-04.csv',0,'loaded','',5345,5345,0,0,0,0,109509,'600d6fd87a0bf9cc68d2b1cf103238e58329af9552db966cc789e56625dd577c',1.844,NULL,NULL);
INSERT INTO "run_files" VALUES('20261128-234939-db7f559b','green_tripdata_2020-05.csv',1,'loaded','',6485,6485,0,0,0,0,131419,'3686ab81e0682c79840a0cf1b9ec17bf5f3d4baa4c5f649328fd3ea5759b24f6',1.291,NULL,NULL);
INSERT INTO "run_files" VALUES('20261128-234943-1c5f6719','green_tripdata_2020-06.csv',0,'failed','green_tripdata_2020-06.csv from /trips/green_tripdata_2020-06.csv lacks VendorID, lpep_pickup_datetime, lpep_dropoff_datetime, PULocationID, DOLocationID, without which trips cannot be told apart; it has these columns: not a trip file. Check that the address leads to the trip file itself.',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0.204,NULL,NULL);
INSERT INTO "run_files" VALUES('20261128-234943-1c5f6719','green_tripdata_2020-07.csv',1,'unavailable','no file of that name in /trips',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE run_log (
    line INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, at TEXT NOT NULL,
    file TEXT, level TEXT NOT NULL, message TEXT NOT NULL
);
INSERT INTO "run_log" VALUES(1,'20261128-234939-db7f559b','2026-11-28T23:49:39.840218+00:00',NULL,'info','run 20261128-234939-db7f559b begins, files: 2');
INSERT INTO "run_log" VALUES(2,'20261128-234939-db7f559b','2026-11-28T23:49:40.672984+00:00','green_tripdata_2020-04.csv','info','staged 109,509 bytes from sample:green_tripdata_2020-04, sha256 600d6fd87a0bf9cc68d2b1cf103238e58329af9552db966cc789e56625dd577c');
INSERT INTO "run_log" VALUES(3,'20261128-234939-db7f559b','2026-11-28T23:49:41.577637+00:00','green_tripdata_2020-05.csv','info','staged 131,419 bytes from sample:green_tripdata_2020-05, sha256 3686ab81e0682c79840a0cf1b9ec17bf5f3d4baa4c5f649328fd3ea5759b24f6');
INSERT INTO "run_log" VALUES(4,'20261128-234939-db7f559b','2026-11-28T23:49:41.862365+00:00','green_tripdata_2020-04.csv','info','loaded 5,345 rows, $115,740.11: 5,345 inserted, 0 updated, 0 deleted, 0 unchanged, 0 rejected, 0 rounded');
INSERT INTO "run_log" VALUES(5,'20261128-234939-db7f559b','2026-11-28T23:49:42.360455+00:00','green_tripdata_2020-05.csv','info','loaded 6,485 rows, $135,198.70: 6,485 inserted, 0 updated, 0 deleted, 0 unchanged, 0 rejected, 0 rounded');
INSERT INTO "run_log" VALUES(6,'20261128-234939-db7f559b','2026-11-28T23:49:42.514662+00:00',NULL,'info','run succeeded after 2.7 s');
INSERT INTO "run_log" VALUES(7,'20261128-234943-1c5f6719','2026-11-28T23:49:43.993749+00:00',NULL,'info','run 20261128-234943-1c5f6719 begins, files: 1');
INSERT INTO "run_log" VALUES(8,'20261128-234943-1c5f6719','2026-11-28T23:49:44.315341+00:00','green_tripdata_2020-06.csv','error','green_tripdata_2020-06.csv from /trips/green_tripdata_2020-06.csv lacks VendorID, lpep_pickup_datetime, lpep_dropoff_datetime, PULocationID, DOLocationID, without which trips cannot be told apart; it has these columns: not a trip file. Check that the address leads to the trip file itself.');
INSERT INTO "run_log" VALUES(9,'20261128-234943-1c5f6719','2026-11-28T23:49:44.352929+00:00',NULL,'info','run failed after 0.4 s');
CREATE TABLE run_steps (
    run_id TEXT NOT NULL, file TEXT NOT NULL, step TEXT NOT NULL,
    started_at TEXT NOT NULL, finished_at TEXT NOT NULL
);
INSERT INTO "run_steps" VALUES('20261128-234939-db7f559b','green_tripdata_2020-04.csv','download','2026-11-28T23:49:39.982891+00:00','2026-11-28T23:49:40.666395+00:00');
INSERT INTO "run_steps" VALUES('20261128-234939-db7f559b','green_tripdata_2020-04.csv','extract','2026-11-28T23:49:40.708686+00:00','2026-11-28T23:49:40.928039+00:00');
INSERT INTO "run_steps" VALUES('20261128-234939-db7f559b','green_tripdata_2020-04.csv','merge','2026-11-28T23:49:40.952845+00:00','2026-11-28T23:49:40.972858+00:00');
INSERT INTO "run_steps" VALUES('20261128-234939-db7f559b','green_tripdata_2020-05.csv','download','2026-11-28T23:49:40.698689+00:00','2026-11-28T23:49:41.564559+00:00');
INSERT INTO "run_steps" VALUES('20261128-234939-db7f559b','green_tripdata_2020-04.csv','reconcile','2026-11-28T23:49:40.999530+00:00','2026-11-28T23:49:41.798847+00:00');
INSERT INTO "run_steps" VALUES('20261128-234939-db7f559b','green_tripdata_2020-04.csv','commit','2026-11-28T23:49:41.810570+00:00','2026-11-28T23:49:41.851832+00:00');
INSERT INTO "run_steps" VALUES('20261128-234939-db7f559b','green_tripdata_2020-05.csv','extract','2026-11-28T23:49:41.951714+00:00','2026-11-28T23:49:42.077928+00:00');
INSERT INTO "run_steps" VALUES('20261128-234939-db7f559b','green_tripdata_2020-05.csv','merge','2026-11-28T23:49:42.091130+00:00','2026-11-28T23:49:42.108565+00:00');
INSERT INTO "run_steps" VALUES('20261128-234939-db7f559b','green_tripdata_2020-05.csv','reconcile','2026-11-28T23:49:42.120532+00:00','2026-11-28T23:49:42.299533+00:00');
INSERT INTO "run_steps" VALUES('20261128-234939-db7f559b','green_tripdata_2020-05.csv','commit','2026-11-28T23:49:42.312710+00:00','2026-11-28T23:49:42.352349+00:00');
INSERT INTO "run_steps" VALUES('20261128-234943-1c5f6719','green_tripdata_2020-06.csv','download','2026-11-28T23:49:44.109181+00:00','2026-11-28T23:49:44.298918+00:00');
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, state TEXT NOT NULL, target TEXT NOT NULL, source TEXT NOT NULL,
    source_label TEXT NOT NULL, policy TEXT NOT NULL, force INTEGER NOT NULL,
    colors TEXT NOT NULL, first_month TEXT NOT NULL, last_month TEXT NOT NULL,
    started_at TEXT NOT NULL, finished_at TEXT, pid INTEGER NOT NULL, origin TEXT NOT NULL,
    label TEXT NOT NULL DEFAULT ''
);
INSERT INTO "runs" VALUES('20261128-234939-db7f559b','succeeded','local','sample','Built-in sample (synthetic)','missing-and-failed',0,'green','2020-04','2020-05','2026-11-28T23:49:39.803969+00:00','2026-11-28T23:49:42.581262+00:00',11424,'command line','');
INSERT INTO "runs" VALUES('20261128-234943-1c5f6719','failed','local','/trips','/trips','missing-and-failed',0,'green','2020-06','2020-07','2026-11-28T23:49:43.976889+00:00','2026-11-28T23:49:44.358186+00:00',11668,'command line','');
CREATE INDEX run_log_by_run ON run_log (run_id, line);
CREATE INDEX run_steps_by_run ON run_steps (run_id);
COMMIT;
