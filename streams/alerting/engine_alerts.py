"""The engine's alerts: workers that are away, fail, wait or hang, records that nobody takes or that nobody can."""

from __future__ import annotations

from streams.alerting.alert import Alert, AlertGroup
from streams.alerting.settings import AlertingSettings
from streams.settings import Settings

LETTERS_WINDOW, LETTERS_WINDOW_S = "10m", 600


def groups(settings: Settings) -> tuple[AlertGroup, ...]:
    """Return the alerts about workers and about what they have to read."""
    wanted = settings.of(AlertingSettings)
    return (
        AlertGroup("workers", (_target_down(), _role_gone(), _failing(), _waiting(), _stuck(wanted.alert_stuck_s))),
        AlertGroup(
            "records",
            (
                _lag(wanted.alert_lag_records),
                _lag_time(wanted.alert_lag_s),
                _dead_letters(wanted.alert_dead_letters),
                _stopped(),
            ),
        ),
    )


def _target_down() -> Alert:
    return Alert(
        "TargetDown",
        "critical",
        "A process that is to be scraped does not answer",
        "up == 0",
        "{{ $labels.instance }} does not answer Prometheus",
        "The {{ $labels.job }} target {{ $labels.instance }}{{ with $labels.role }} (role {{ . }}){{ end }} "
        "has not served its metrics for two minutes.",
        hold="2m",
    )


def _role_gone() -> Alert:
    return Alert(
        "RoleGone",
        "warning",
        "A role that ran a quarter of an hour ago runs nowhere",
        'max by (role) (max_over_time(up{role!=""}[15m]))\nunless on (role) max by (role) (up{role!=""})',
        "No worker runs the role {{ $labels.role }}",
        "A worker of the role {{ $labels.role }} ran within the last quarter of an hour, and now none is a target.",
        hold="3m",
    )


def _failing() -> Alert:
    return Alert(
        "WorkerRoleFailing",
        "critical",
        "A worker gave a role up",
        "max by (role) (worker_role_failing) == 1",
        "The worker of {{ $labels.role }} gave up",
        "The role {{ $labels.role }} ended again and again whatever records came, so its worker gave it up.",
    )


def _waiting() -> Alert:
    return Alert(
        "WorkerWaiting",
        "warning",
        "What a stage needs has been away",
        'min by (role, stage) (worker_breaker_state{state="closed"}) == 0',
        "The stage {{ $labels.stage }} waits for what it needs",
        "The breaker around what the stage {{ $labels.stage }} needs (a database, an API, a model) has been open for "
        "five minutes: records wait.",
        hold="5m",
    )


def _stuck(seconds: int) -> Alert:
    """Ask for records of the stage's own topics that wait: an idle worker's checkpoint ages too, and is none."""
    waits = f"max by (consumergroup, topic) (kafka_consumergroup_lag_seconds) > {seconds}"
    return Alert(
        "WorkerStuck",
        "critical",
        f"No progress for {seconds} s while records of its topics wait as long",
        f"max by (role, stage) (worker_checkpoint_age_seconds) > {seconds}\n"
        "and on (role, stage) (\n"
        "  max by (role, stage, topic) (worker_records_total)\n"
        f'  and on (role, topic) label_replace({waits}, "role", "$1", "consumergroup", "(.*)")\n'
        ")",
        "The stage {{ $labels.stage }} of {{ $labels.role }} makes no progress",
        "The stage {{ $labels.stage }} has neither folded a slice nor taken a checkpoint for "
        "{{ $value | humanizeDuration }}, and records wait for it.",
        hold="1m",
    )


def _lag(records: int) -> Alert:
    each = "max by (consumergroup, topic, partition) (kafka_consumergroup_lag)"  # several processes tell of it
    return Alert(
        "ConsumerLag",
        "warning",
        f"A role is more than {records:,} records behind on a topic",
        f"sum by (consumergroup, topic) ({each}) > {records}",
        "{{ $labels.consumergroup }} is {{ $value | humanize }} records behind on {{ $labels.topic }}",
        "The role {{ $labels.consumergroup }} has {{ $value | humanize }} records of {{ $labels.topic }} to read.",
        hold="2m",
    )


def _lag_time(seconds: int) -> Alert:
    return Alert(
        "ConsumerLagTime",
        "warning",
        f"A role is more than {seconds} s behind on a topic",
        f"max by (consumergroup, topic) (kafka_consumergroup_lag_seconds) > {seconds}",
        "{{ $labels.consumergroup }} is {{ $value | humanizeDuration }} behind on {{ $labels.topic }}",
        "The oldest record of {{ $labels.topic }} that the role {{ $labels.consumergroup }} has not taken has waited "
        "for {{ $value | humanizeDuration }}.",
        hold="2m",
    )


def _dead_letters(allowed: int) -> Alert:
    """Count all that a young process refused, for what it refused before its first scrape increased nothing."""
    return Alert(
        "DeadLetters",
        "warning",
        f"More than {allowed} records of a topic set aside in ten minutes",
        "sum by (consumer, topic) (\n"
        f"  (dead_letters_total and on (instance) (time() - process_start_time_seconds < {LETTERS_WINDOW_S}))\n"
        f"  or increase(dead_letters_total[{LETTERS_WINDOW}])\n"
        f") > {allowed}",
        "{{ $labels.consumer }} set records of {{ $labels.topic }} aside",
        "The role {{ $labels.consumer }} could not process {{ $value | humanize }} records of {{ $labels.topic }} in "
        "the last ten minutes: `threads-agent dead-letters list` shows them with reasons.",
    )


def _stopped() -> Alert:
    return Alert(
        "PartitionStopped",
        "critical",
        "A partition does not go past a record, as the policy of its topic has it",
        "max by (role, topic, partition, reason) (worker_stopped_at_offset) >= 0",
        '{{ $labels.role }} stopped at {{ $labels.topic }}/{{ $labels.partition }} offset {{ printf "%.0f" $value }}',
        'The role {{ $labels.role }} does not go past the record at offset {{ printf "%.0f" $value }} of '
        "{{ $labels.topic }}/{{ $labels.partition }}: {{ $labels.reason }}. Mend that, or let it pass with "
        "`threads-agent dead-letters pass`.",
    )
