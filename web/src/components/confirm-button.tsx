import { useEffect, useRef, useState } from 'preact/hooks'

/** A button that asks once more, where it stands: for what cannot be taken back. */
export function ConfirmButton(props: {
  label: string
  question: string
  yes: string
  no: string
  onConfirm: () => void
}) {
  const [asks, setAsks] = useState(false)
  const no = useRef<HTMLButtonElement>(null)
  const first = useRef<HTMLButtonElement>(null)
  const wasAsked = useRef(false)
  useEffect(() => {
    if (asks) no.current?.focus()
    else if (wasAsked.current) first.current?.focus()
    wasAsked.current = asks
  }, [asks])

  if (!asks) {
    return (
      <button ref={first} class="button button-quiet" onClick={() => setAsks(true)}>
        {props.label}
      </button>
    )
  }
  return (
    <div class="confirm" role="group" aria-label={props.question}>
      <p>{props.question}</p>
      <div class="actions">
        <button ref={no} class="button" onClick={() => setAsks(false)}>
          {props.no}
        </button>
        <button class="button button-quiet" onClick={props.onConfirm}>
          {props.yes}
        </button>
      </div>
    </div>
  )
}
