"""Killed at any moment, stopped by a signal: the trace opens and is whole, and going on gives the bits of
a run that nothing stopped: checkpoint file, chain digest, diff."""
import random
import re
import shutil
import signal
import subprocess
import time

import harness
from harness import Case, DEMO, fpx

STEPS, EVERY = 40, 3


def steps_of(trace):
    done = fpx("trace", "ls", trace, "--tensor", "none")
    first = re.match(r"(\d+) steps", done.stdout)
    return done, int(first.group(1)) if first else None


def chain_of(trace):
    return re.search(r"(?m)^([0-9a-f]{32}) chain$", fpx("trace", "show", trace, "--tensor", "none").stdout).group(1)


class Interrupted(Case):
    shadow = ()

    @classmethod
    def setUpClass(cls):
        seed = harness.options.seed
        cls.random = random.Random(time.time_ns() if seed is None else seed)
        cls.seed = cls.random.randrange(2**32)
        cls.random.seed(cls.seed)
        print(f"seed {cls.seed}", flush=True)

    def train(self, name, *more):
        return [DEMO, "--steps", STEPS, "--trace", self.tmp / f"{name}.h5", "--values", "*", *more]

    def whole_run(self):
        """The run that nothing stops, and how long it takes."""
        start = time.monotonic()
        self.ok("train", *self.train("whole", "--checkpoint", self.tmp / "whole", "--every", EVERY))
        return time.monotonic() - start

    def start(self, *args):
        return subprocess.Popen([harness.options.fpx, "train", *map(str, args)], text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE)

    def holds(self, trace, at_least):
        """What a kill left: nothing yet, or a whole trace that lost no step that was committed."""
        if not trace.exists():
            self.assertEqual(at_least, 0)
            return 0
        done, n = steps_of(trace)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreaterEqual(n, at_least)
        if n > 0:
            checked = self.ok("trace", "verify", trace).stdout
            self.assertRegex(checked, rf"whole: {n} steps, [1-9]\d* digests recomputed")
        return n

    def newest(self, folder):
        files = sorted(folder.glob("step-*.safetensors")) if folder.exists() else []
        return files[-1] if files else None

    def go_on(self, name, folder):
        """Arguments of the next attempt: as a person would, after looking at what is there."""
        if self.newest(folder):
            return self.train(name, "--resume", folder)
        shutil.rmtree(self.tmp / f"{name}.h5.seg", ignore_errors=True)
        (self.tmp / f"{name}.h5").unlink(missing_ok=True)
        return self.train(name, "--checkpoint", folder, "--every", EVERY)

    def same_as_whole(self, name, folder):
        last = f"step-{STEPS:06}.safetensors"
        self.assertEqual(harness.sha(folder / last), harness.sha(self.tmp / "whole" / last))
        trace = self.tmp / f"{name}.h5"
        self.assertEqual(steps_of(trace)[1], STEPS)
        self.assertEqual(chain_of(trace), chain_of(self.tmp / "whole.h5"))
        self.ok("trace", "verify", trace)
        self.ok("diff", self.tmp / "whole.h5", trace)
        self.ok("diff", trace, self.tmp / "whole.h5")

    def test_kill(self):
        """Runs of kills: each next attempt goes on where the last one died, and is killed as well."""
        kills = 40 if harness.options.full else 9
        length = self.whole_run()
        done = chains = 0
        while done < kills:
            name, folder = f"killed{chains}", self.tmp / f"killed{chains}"
            trace = self.tmp / f"{name}.h5"
            committed = 0
            for _ in range(min(4, kills - done)):
                args = self.go_on(name, folder)
                fresh = "--checkpoint" in args
                if fresh:
                    committed = 0
                process = self.start(*args, *([] if fresh else ["--every", EVERY]))
                # Mostly within the run; now and then in its first milliseconds.
                wait = self.random.choice([0.02, 0.5, 0.5, 0.5]) * length * self.random.random()
                try:
                    process.wait(timeout=wait)
                except subprocess.TimeoutExpired:
                    process.kill()
                said = process.communicate()[1]
                self.assertIn(process.returncode, (0, -signal.SIGKILL), said)
                done += 1
                saved = self.newest(folder)
                # A checkpoint is written after its steps are committed: none of those may be lost.
                steps = int(saved.stem[5:]) if saved else 0
                committed = self.holds(trace, max(committed, steps))
            if self.newest(folder):
                self.ok("train", *self.train(name, "--resume", folder))
            else:
                self.ok("train", *self.go_on(name, folder))
            self.same_as_whole(name, folder)
            shutil.rmtree(self.tmp / f"{name}.h5.seg")
            chains += 1
        print(f"{done} kills in {chains} runs", flush=True)

    def stop(self, number):
        folder = self.tmp / "stopped"
        process = self.start(*self.train("stopped", "--checkpoint", folder))
        deadline = time.monotonic() + 60
        while steps_of(self.tmp / "stopped.h5")[1] in (None, 0) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
        self.assertEqual(process.returncode, 2, said)
        self.assertRegex(said, rf"(?m)^fpx: interrupted after step \d+; the state is saved, go on with "
                               rf"--resume {re.escape(str(folder))}$")
        n = self.holds(self.tmp / "stopped.h5", 1)
        self.assertLess(n, STEPS)
        self.assertEqual(self.newest(folder).stem, f"step-{n:06}")
        self.ok("train", *self.train("stopped", "--resume", folder))
        self.same_as_whole("stopped", folder)

    def test_ctrl_c(self):
        self.whole_run()
        self.stop(signal.SIGINT)

    def test_nothing_saved(self):
        """Without a folder the message says what would have helped."""
        process = self.start(DEMO, "--trace", self.tmp / "t.h5")
        while steps_of(self.tmp / "t.h5")[1] in (None, 0):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
        self.assertEqual(process.returncode, 2, said)
        self.assertIn("nothing is saved (--checkpoint DIR would have)", said)

    def test_checkpoint_before_the_last_step(self):
        """A trace further on than the checkpoint: the steps between run again and are compared, not written."""
        self.whole_run()
        folder, trace = self.tmp / "back", self.tmp / "back.h5"
        self.ok("train", *self.train("back", "--checkpoint", folder, "--every", EVERY))
        before = harness.tree(self.tmp / "back.h5.seg")
        for path in sorted(folder.glob("step-*"))[-2:]:
            path.unlink()
        self.assertEqual(self.newest(folder).stem, "step-000036")
        self.ok("train", *self.train("back", "--resume", folder))
        self.assertEqual(harness.tree(self.tmp / "back.h5.seg"), before)
        self.same_as_whole("back", folder)
        # Other arithmetic in the same steps is a finding (1) that names the operation.
        self.refused("train", *self.train("back", "--resume", folder, "--recipe", "bf16"),
                     names="recipe")

    def test_free_shadow_goes_on(self):
        """The free shadow's own state rides in the checkpoint: its figures are those of the whole run."""
        short = ["--shadow", "free", "--steps", 8]
        self.ok("train", DEMO, *short, "--trace", self.tmp / "a.h5", "--checkpoint", self.tmp / "a")
        self.ok("train", DEMO, *short, "--trace", self.tmp / "b.h5", "--checkpoint", self.tmp / "b",
                "--every", 3)
        for path in sorted((self.tmp / "b").glob("step-*"))[1:]:
            path.unlink()
        self.ok("train", DEMO, *short, "--trace", self.tmp / "c.h5", "--resume", self.tmp / "b")
        last = "step-000008.safetensors"
        tensors = lambda p: (self.tmp / p / last).read_bytes()
        # The header holds the chain of another trace: what follows it must be equal.
        cut = lambda data: data[8 + int.from_bytes(data[:8], "little"):]
        self.assertEqual(cut(tensors("a")), cut(tensors("b")))


if __name__ == "__main__":
    harness.main(__name__)
