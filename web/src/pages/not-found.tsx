import { Empty, PageTitle } from '../components/page.tsx'
import { t } from '../i18n/index.ts'
import { urlTo } from '../routes.ts'

export function NotFound() {
  const { notFound } = t.value
  return (
    <>
      <PageTitle isHidden>{notFound.title}</PageTitle>
      <Empty icon="search" title={notFound.title} text={notFound.text}>
        <a class="button button-main" href={urlTo('concerts')}>
          {notFound.to}
        </a>
      </Empty>
    </>
  )
}
