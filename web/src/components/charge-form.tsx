import { useEffect, useRef, useState } from 'preact/hooks'
import { Refusal } from '../api/refusal.ts'
import { explain, format, t } from '../i18n/index.ts'
import { announce } from '../state/announce.ts'
import { charge, openCharges } from '../state/balance.ts'
import { settings } from '../state/settings.ts'
import { Icon } from './icon.tsx'
import { Notice } from './notice.tsx'

/** Amounts a tap away. */
const usual = [50_000, 100_000, 300_000]

/** Adds to the balance. `needed` is what a purchase lacks: then that amount comes first. */
export function ChargeForm({ needed = 0, onCharged }: { needed?: number; onCharged?: () => void }) {
  const words = t.value.checkout
  const amounts = [...new Set([...(needed > 0 ? [Math.min(needed, settings.chargeMax)] : []), ...usual])]
    .filter((amount) => amount >= needed || needed > settings.chargeMax)
    .filter((amount) => amount <= settings.chargeMax)
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const [isWaiting, setWaiting] = useState(false)
  const [done, setDone] = useState<string>()
  const [fault, setFault] = useState<string>()
  const isSending = useRef(false)

  async function add(amount: number): Promise<void> {
    if (isSending.current) return
    isSending.current = true
    setBusy(true)
    setFault(undefined)
    setDone(undefined)
    try {
      const { balance } = await charge(amount, () => setWaiting(true))
      const text = words.charged(format.won(amount), format.won(balance))
      setDone(text)
      announce(text)
      setTyped('')
      onCharged?.()
    } catch (error) {
      const isAmount = error instanceof Refusal && error.code === 'invalid-amount'
      setFault(
        isAmount
          ? words.invalidAmount(format.won(error.number('limit') ?? settings.chargeMax))
          : explain(error),
      )
    } finally {
      isSending.current = false
      setBusy(false)
      setWaiting(false)
    }
  }

  // Sent before a reload: ask again, with the same key, and say what came of it.
  useEffect(() => {
    const [amount] = openCharges()
    if (amount !== undefined) void add(amount)
  }, [])

  function submit(event: Event): void {
    event.preventDefault()
    const amount = Number(typed.replaceAll(/[\s,.₩원]/g, ''))
    if (Number.isInteger(amount) && amount >= 1 && amount <= settings.chargeMax) void add(amount)
    else setFault(words.invalidAmount(format.won(settings.chargeMax)))
  }

  return (
    <section class="charge">
      <h2>{words.charge}</h2>
      <p class="quiet">{words.chargeHint}</p>
      <div class="charge-amounts">
        {amounts.map((amount, index) => (
          <button
            key={amount}
            class={`button ${needed > 0 && index === 0 ? 'button-main' : ''}`}
            aria-disabled={busy}
            onClick={() => void add(amount)}
          >
            {words.chargeButton(format.won(amount))}
          </button>
        ))}
      </div>
      <details>
        <summary>{words.otherAmount}</summary>
        <form class="charge-other" onSubmit={submit} noValidate>
          <label class="field">
            <span>{words.chargeAmount}</span>
            <input
              inputMode="numeric"
              autocomplete="off"
              maxLength={16}
              value={typed}
              aria-invalid={fault !== undefined}
              aria-describedby="charge-fault"
              onInput={({ currentTarget }) => setTyped(currentTarget.value)}
            />
          </label>
          <button class="button" aria-disabled={busy}>
            {busy ? words.charging : words.charge}
          </button>
        </form>
      </details>
      <div id="charge-fault" role="alert">
        {fault && <p class="fault">{fault}</p>}
      </div>
      {isWaiting && <Notice kind="info">{words.checking}</Notice>}
      {done && (
        <p class="done">
          <Icon name="check" />
          {done}
        </p>
      )}
    </section>
  )
}
