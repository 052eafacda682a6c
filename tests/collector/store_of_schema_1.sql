BEGIN TRANSACTION;
CREATE TABLE "audit" (
            series INTEGER NOT NULL, t_ns INTEGER NOT NULL, epoch_id INTEGER NOT NULL, seq INTEGER NOT NULL,
            "clock" TEXT, "author" TEXT, "note" TEXT, "in" INTEGER, "out" INTEGER, PRIMARY KEY (series, t_ns, epoch_id, seq)) WITHOUT ROWID;
INSERT INTO "audit" VALUES(6,1789999200000000007,1,7,'unsynced','J. O''Neill','',12,0);
CREATE TABLE "cabinet" (
            series INTEGER NOT NULL, t_ns INTEGER NOT NULL, epoch_id INTEGER NOT NULL, seq INTEGER NOT NULL,
            "clock" TEXT, "level" TEXT, "door" TEXT, "aed" TEXT, "mains" TEXT, "temperature_c" REAL, "reasons" TEXT, PRIMARY KEY (series, t_ns, epoch_id, seq)) WITHOUT ROWID;
INSERT INTO "cabinet" VALUES(4,1789999200000000005,1,5,'unsynced','warning','open','present','on',4.5,'["a \"quoted\" reason", "back\\slash, comma = blank", "na\u00efve \u2603"]');
CREATE TABLE "counter" (
            series INTEGER NOT NULL, t_ns INTEGER NOT NULL, epoch_id INTEGER NOT NULL, seq INTEGER NOT NULL,
            "clock" TEXT, "in" INTEGER, "out" INTEGER, "raw_in" INTEGER, "raw_out" INTEGER, "reset" INTEGER, "role" TEXT, PRIMARY KEY (series, t_ns, epoch_id, seq)) WITHOUT ROWID;
INSERT INTO "counter" VALUES(2,1789999200000000003,1,3,'unsynced',3,0,65535,12,1,'counting');
CREATE TABLE coverage (
        series INTEGER NOT NULL, t_ns INTEGER NOT NULL, minutes INTEGER NOT NULL,
        PRIMARY KEY (series, t_ns)) WITHOUT ROWID;
INSERT INTO "coverage" VALUES(8,1789999200000000000,3);
INSERT INTO "coverage" VALUES(9,1789999200000000000,1);
CREATE TABLE dirty (
        series INTEGER NOT NULL, t_ns INTEGER NOT NULL, PRIMARY KEY (series, t_ns)) WITHOUT ROWID;
INSERT INTO "dirty" VALUES(1,1790003700000000000);
CREATE TABLE epoch (id INTEGER PRIMARY KEY, unit TEXT NOT NULL, epoch TEXT NOT NULL, UNIQUE (unit, epoch));
INSERT INTO "epoch" VALUES(1,'door','0123456789abcdef');
INSERT INTO "epoch" VALUES(2,'window','0123456789abcdef');
CREATE TABLE "fault" (
            series INTEGER NOT NULL, t_ns INTEGER NOT NULL, epoch_id INTEGER NOT NULL, seq INTEGER NOT NULL,
            "clock" TEXT, "fault" TEXT, "active" INTEGER, "line" TEXT, "detail" TEXT, "count" INTEGER, "first_seq" INTEGER, "last_seq" INTEGER, PRIMARY KEY (series, t_ns, epoch_id, seq)) WITHOUT ROWID;
INSERT INTO "fault" VALUES(5,1789999200000000006,1,6,'unsynced','events_dropped',0,NULL,'line one
line "two" \ end\',3,1,3);
CREATE TABLE health (
        series INTEGER NOT NULL, t_ns INTEGER NOT NULL, "epoch" TEXT, "session" TEXT, "clock" TEXT, "version" TEXT, "uptime_s" REAL, "temperature_c" REAL, "outbox_depth" INTEGER, "outbox_oldest_age_s" REAL, "outbox_dropped" INTEGER, "outbox_bytes" INTEGER, "in" INTEGER, "out" INTEGER, "edges" INTEGER, "lost_edges" INTEGER, "chatter" INTEGER, "ok_since_ns" INTEGER, "ok" INTEGER,
        PRIMARY KEY (series, t_ns)) WITHOUT ROWID;
INSERT INTO "health" VALUES(8,1789999200000000000,'0123456789abcdef','s1','synced','1',60.0,NULL,0,0.0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "health" VALUES(8,1789999260000000000,'0123456789abcdef','s1','synced','1',60.0,41.5,0,0.0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "health" VALUES(9,1789999200000000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,3,2,20,0,0,NULL,1);
INSERT INTO "health" VALUES(9,1789999260000000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,3,2,20,0,0,NULL,0);
CREATE TABLE "passage" (
            series INTEGER NOT NULL, t_ns INTEGER NOT NULL, epoch_id INTEGER NOT NULL, seq INTEGER NOT NULL,
            "clock" TEXT, "direction" TEXT, "persons" INTEGER, "speed_m_s" REAL, "length_m" REAL, "confidence" REAL, "role" TEXT, PRIMARY KEY (series, t_ns, epoch_id, seq)) WITHOUT ROWID;
INSERT INTO "passage" VALUES(1,1789999200000000001,1,1,'unsynced','out',2,1.25,0.5,0.75,'counting');
INSERT INTO "passage" VALUES(1,1789999200000000002,1,2,'unsynced','unknown',1,NULL,NULL,1.0,'reference');
INSERT INTO "passage" VALUES(1,1790003700000000008,1,8,'synced','in',3,NULL,NULL,1.0,'counting');
INSERT INTO "passage" VALUES(7,1789999200000000001,2,1,'synced','in',1,NULL,NULL,1.0,'counting');
INSERT INTO "passage" VALUES(7,1789999200000000002,2,2,'synced','out',1,NULL,NULL,1.0,'counting');
CREATE TABLE quarter (
        series INTEGER NOT NULL, t_ns INTEGER NOT NULL,
        persons_in INTEGER, persons_out INTEGER, persons_unknown INTEGER, variance_in REAL, variance_out REAL,
        events INTEGER, PRIMARY KEY (series, t_ns)) WITHOUT ROWID;
INSERT INTO "quarter" VALUES(1,1789999200000000000,0,2,0,0.0,0.75,1);
INSERT INTO "quarter" VALUES(2,1789999200000000000,3,0,0,0.0,0.0,1);
INSERT INTO "quarter" VALUES(7,1789999200000000000,1,1,0,0.0,0.0,2);
CREATE TABLE "room" (
            series INTEGER NOT NULL, t_ns INTEGER NOT NULL, epoch_id INTEGER NOT NULL, seq INTEGER NOT NULL,
            "clock" TEXT, "state" TEXT, "probability" REAL, PRIMARY KEY (series, t_ns, epoch_id, seq)) WITHOUT ROWID;
INSERT INTO "room" VALUES(3,1789999200000000004,1,4,'unsynced','occupied',0.875);
CREATE TABLE series (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, hub TEXT NOT NULL, unit TEXT NOT NULL, sensor TEXT NOT NULL,
        entrance TEXT NOT NULL, room TEXT NOT NULL, UNIQUE (hub, kind, unit, sensor, entrance, room));
INSERT INTO "series" VALUES(1,'passage','north','door','beams','front','');
INSERT INTO "series" VALUES(2,'counter','north','door','beams','front','');
INSERT INTO "series" VALUES(3,'room','north','door','beams','','hall');
INSERT INTO "series" VALUES(4,'cabinet','north','door','beams','','');
INSERT INTO "series" VALUES(5,'fault','north','door','beams','','');
INSERT INTO "series" VALUES(6,'audit','north','door','beams','front','');
INSERT INTO "series" VALUES(7,'passage','north','window','beams','front','');
INSERT INTO "series" VALUES(8,'health','north','door','unit','','');
INSERT INTO "series" VALUES(9,'health','north','door','beams','','');
COMMIT;
PRAGMA user_version = 1;
